-- The cells of a cohort. Rows alike in every column that is read are first made one: what is left
-- is a tenth of the facts or less, and to take sixty sums over the facts would cost more than all else.
-- A row that stands for several observations has its value for each of them: it counts twice among the
-- two largest.
SELECT {{range .By}}{{.Expression}} AS {{.Name}},
       {{end}}{{range $i, $c := .Sums}}{{if $i}},
       {{end}}coalesce(sum({{$c.Expression}}), 0)::{{$c.Type}} AS {{$c.Name}}{{end}}
       {{- range $i, $c := .Largest}},
       list_slice(list_reverse_sort(flatten(list(largest_{{$i}}))), 1, 2){{end}}
FROM (
    SELECT {{range .Columns}}{{.}},
           {{end}}{{range $i, $c := .Carried}}{{if $i}},
           {{end}}coalesce(sum({{$c.Expression}}), 0)::{{$c.Type}} AS {{$c.Name}}{{end}}
           {{- range $i, $c := .Largest}},
           list_concat(max({{$c}}::BIGINT, 2), max({{$c}}::BIGINT, 1) FILTER ({{$.Weight}} > 1)) AS largest_{{$i}}{{end}}
    FROM {{.From}}{{range $i, $c := .Where}}
    {{if $i}}AND{{else}}WHERE{{end}} {{$c}}{{end}}
    GROUP BY ALL
)
GROUP BY ALL
{{- if .By}}
ORDER BY {{range $i, $g := .By}}{{if $i}}, {{end}}{{$g.Name}}{{end}}
{{- end}}
