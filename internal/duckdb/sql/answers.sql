-- The answers of the survey. A respondent is a place in the order of the ids, not the id.
SELECT theme, aspect, item, actor_type, dense_rank() OVER (ORDER BY respondent_id) AS respondent,
       coalesce({{if .answer}}answer{{else}}NULL{{end}}, 0) AS code, count(*), sum(weight)::DOUBLE
FROM actor_survey
GROUP BY theme, aspect, item, actor_type, respondent_id, code
ORDER BY respondent, theme, aspect, item, actor_type, code
