-- The cells of a cohort. The inner query groups by what the source stores; the outer one turns
-- a column's own codes into places in the dimension, on the few rows that are left.
SELECT {{range .By}}{{.Outer}} AS {{.Name}},
       {{end}}{{range $i, $c := .Sums}}{{if $i}},
       {{end}}coalesce(sum({{$c.Name}}), 0)::{{$c.Type}} AS {{$c.Name}}{{end}}
FROM (
    SELECT {{range .By}}{{.Inner}} AS {{.Name}},
           {{end}}{{range $i, $c := .Sums}}{{if $i}},
           {{end}}{{$c.Expression}} AS {{$c.Name}}{{end}}
    FROM {{.From}}{{range $i, $c := .Where}}
    {{if $i}}AND{{else}}WHERE{{end}} {{$c}}{{end}}
    GROUP BY ALL
)
GROUP BY ALL
ORDER BY ALL
