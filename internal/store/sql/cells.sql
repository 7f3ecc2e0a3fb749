-- The cells of a cohort. Where a key is a column of texts, the inner query groups by the texts and
-- the outer one turns them into places in the dimension, on the few rows that are left.
{{- if .Nested}}
SELECT {{range .By}}{{.Outer}} AS {{.Name}},
       {{end}}{{range $i, $c := .Sums}}{{if $i}},
       {{end}}sum({{$c.Name}})::{{$c.Type}} AS {{$c.Name}}{{end}}
FROM (
{{- end}}
SELECT {{range .By}}{{.Inner}} AS {{.Name}},
       {{end}}{{range $i, $c := .Sums}}{{if $i}},
       {{end}}coalesce({{$c.Expression}}, 0)::{{$c.Type}} AS {{$c.Name}}{{end}}
FROM {{.From}}{{range $i, $c := .Where}}
{{if $i}}AND{{else}}WHERE{{end}} {{$c}}{{end}}
GROUP BY ALL
{{- if .Nested}}
)
GROUP BY ALL
{{- end}}
{{- if .By}}
ORDER BY {{range $i, $g := .By}}{{if $i}}, {{end}}{{$g.Name}}{{end}}
{{- end}}
