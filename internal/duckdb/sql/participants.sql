-- Those who took part in a type of activity and those like them who did not, as cells over the
-- covariates, with the sums of an outcome, of the same before the start, and of the change.
SELECT treated,
       {{range .Keys}}{{.}},
       {{end}}count(*),
       count({{.Outcome}}),
       coalesce(sum({{.Outcome}}), 0)::BIGINT,
       coalesce(sum({{.Outcome}} * {{.Outcome}}), 0)::BIGINT,
       coalesce(sum({{.Before}}) FILTER ({{.Outcome}} IS NOT NULL), 0)::BIGINT,
       coalesce(sum({{.Before}} * {{.Before}}) FILTER ({{.Outcome}} IS NOT NULL), 0)::BIGINT,
       count({{.Outcome}} - {{.Before}}),
       coalesce(sum({{.Outcome}} - {{.Before}}), 0)::BIGINT,
       coalesce(sum(({{.Outcome}} - {{.Before}}) * ({{.Outcome}} - {{.Before}})), 0)::BIGINT
FROM participant
WHERE type = ?
GROUP BY ALL
ORDER BY ALL
