-- What stands for no single person in two years, by place: all, and what is counted in the cohort.
SELECT CASE WHEN {{.Here}} THEN {{.Place}} END AS place,
       coalesce(sum({{.Weight}}), 0)::BIGINT,
       coalesce(sum({{.Weight}}) FILTER (WHERE {{.Counted}}), 0)::BIGINT
FROM {{.From}}
WHERE year IN ({{.Earlier}}, {{.Later}}) AND {{.Person}} IS NULL
GROUP BY ALL
