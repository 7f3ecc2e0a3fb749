-- The cells of a cohort. Rows alike in every column that is read are first made one: what is left
-- is a tenth of the facts or less, and to take sixty sums over the facts would cost more than all else.
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
           coalesce(max({{$c}}::BIGINT, 2), []) AS largest_{{$i}}{{end}}
    FROM {{.From}}{{range $i, $c := .Where}}
    {{if $i}}AND{{else}}WHERE{{end}} {{$c}}{{end}}
    GROUP BY ALL
)
GROUP BY ALL
{{- if .By}}
ORDER BY {{range $i, $g := .By}}{{if $i}}, {{end}}{{$g.Name}}{{end}}
{{- end}}
