-- The participants, not those recorded for comparison, by activity and year of start. A person is
-- in an activity once: the key of table participant is the type and the person.
SELECT {{if .activity_id}}activity_id{{else}}NULL{{end}}, {{if .start_year}}start_year{{else}}NULL{{end}}, count(*)
FROM participant
WHERE treated
GROUP BY ALL
ORDER BY ALL
