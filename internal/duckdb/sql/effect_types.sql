-- Those who took part, not those recorded for comparison, by type of activity.
SELECT type, count(*)
FROM participant
WHERE treated
GROUP BY type
