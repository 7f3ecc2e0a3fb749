-- What stands for no single person in two years: counted in the cohort, and elsewhere.
SELECT coalesce(sum({{.Weight}}) FILTER (WHERE {{.Here}} AND {{.Counted}}), 0)::BIGINT,
       coalesce(sum({{.Weight}}) FILTER (WHERE NOT {{.Here}}), 0)::BIGINT
FROM {{.From}}
WHERE year IN ({{.Earlier}}, {{.Later}}) AND {{.Person}} IS NULL
