-- The persons of each group, once each. A member of a group is an activity, or an activity in a
-- year of start; year 0 stands for every year.
SELECT member.place, count(DISTINCT participant.person_id)
FROM participant
JOIN (SELECT unnest(?::VARCHAR[]) AS activity_id, unnest(?::BIGINT[]) AS year, unnest(?::BIGINT[]) AS place) AS member
     ON member.activity_id = participant.activity_id AND (member.year = 0{{if .start_year}} OR member.year = participant.start_year{{end}})
WHERE participant.treated
GROUP BY member.place
