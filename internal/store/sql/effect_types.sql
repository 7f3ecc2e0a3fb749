SELECT DISTINCT type
FROM participant
WHERE treated
