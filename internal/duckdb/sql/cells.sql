-- The cells of a cohort. Rows alike in every key, indicator and known measure are first made one: what is
-- left is a tenth of the facts or less, and to take sixty sums over the facts would cost more than all
-- else. What a row is in the indicators travels as a number, since a group by a dozen columns costs as
-- much as all else, and so does what is counted. A row that stands for several observations has its value
-- for each of them: it counts twice among the two largest.
WITH alike AS (
    SELECT {{range .By}}{{.Expression}} AS {{.Name}},
           {{end}}{{range $i, $s := .States}}{{$s}} AS states_{{$i}},
           {{end}}{{range $i, $c := .Carried}}{{if $i}},
           {{end}}coalesce(sum({{$c.Expression}}), 0)::{{$c.Type}} AS {{$c.Name}}{{end}}
           {{- range $i, $c := .Largest}},
           list_concat(max({{$c}}::BIGINT, 2), max({{$c}}::BIGINT, 1) FILTER ({{$.Weight}} > 1)) AS largest_{{$i}}{{end}}
    FROM {{.From}}{{range $i, $c := .Where}}
    {{if $i}}AND{{else}}WHERE{{end}} {{$c}}{{end}}
    GROUP BY ALL
), weighed AS (
    SELECT *, n::HUGEINT AS as_known, (n::HUGEINT << {{.Bits}}) + n AS as_having, n::HUGEINT << {{.Bits}} << {{.Bits}} AS as_unknown
    FROM alike
    WHERE CASE WHEN n BETWEEN 0 AND {{.Most}} THEN true ELSE error('rows stand for ' || n || ' observations; 0 to {{.Most}} can be counted')::BOOLEAN END
), counted AS (
    SELECT {{range .By}}{{.Name}},
           {{end}}{{range $i, $c := .Counts}}coalesce(sum({{$c}}), 0) AS counts_{{$i}},
           {{end}}{{range $i, $c := .Carried}}{{if $i}},
           {{end}}coalesce(sum({{$c.Name}}), 0)::{{$c.Type}} AS {{$c.Name}}{{end}}
           {{- range $i, $c := .Largest}},
           list_slice(list_reverse_sort(flatten(list(largest_{{$i}}))), 1, 2) AS largest_{{$i}}{{end}}
    FROM weighed
    GROUP BY ALL
)
SELECT {{range .By}}{{.Name}},
       {{end}}{{range $i, $c := .Sums}}{{if $i}},
       {{end}}{{$c.Expression}} AS {{$c.Name}}{{end}}
       {{- range $i, $c := .Largest}},
       largest_{{$i}}{{end}}
FROM counted
WHERE CASE WHEN n <= {{.Most}} THEN true ELSE error('a cell has ' || n || ' observations; 0 to {{.Most}} can be counted')::BOOLEAN END
{{- if .By}}
ORDER BY {{range $i, $g := .By}}{{if $i}}, {{end}}{{$g.Name}}{{end}}
{{- end}}
