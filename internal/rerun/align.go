package rerun

// pairing says that item old of one list is item new of another; -1 stands for none. An item
// that is moved is the same, and stands elsewhere among the others.
type pairing struct {
	old, new int
	moved    bool
}

// align pairs the items of a list of n with those of a list of m, in the order of the first,
// so that one item that is missing, new or moved is told as that and leaves the others in
// place. Items that are the same are paired first, then, between those, items that are alike
// (the same row with another figure), then what is left, one by one.
func align(n, m int, same, alike func(i, j int) bool) []pairing {
	partner, taken := make([]int, n), make([]bool, m)
	for i := range partner {
		partner[i] = -1
	}
	pair := func(i, j int) { partner[i], taken[j] = j, true }
	moved := make([]bool, n)
	common(0, n, 0, m, same, pair)
	for i := range n {
		for j := 0; j < m && partner[i] < 0; j++ {
			if !taken[j] && same(i, j) {
				pair(i, j)
				moved[i] = true
			}
		}
	}
	// gaps calls f with each run of unpaired items of both lists, between two that are paired.
	gaps := func(f func(old, fresh []int)) {
		var olds, news []int
		next := 0
		flush := func(until int) {
			for ; next < until; next++ {
				if !taken[next] {
					news = append(news, next)
				}
			}
			f(olds, news)
			olds, news = nil, nil
		}
		for i := range n {
			switch {
			case partner[i] < 0:
				olds = append(olds, i)
			case !moved[i] && partner[i] >= next:
				flush(partner[i])
			}
		}
		flush(m)
	}
	gaps(func(old, fresh []int) {
		common(0, len(old), 0, len(fresh), func(i, j int) bool { return alike(old[i], fresh[j]) },
			func(i, j int) { pair(old[i], fresh[j]) })
	})
	gaps(func(old, fresh []int) {
		for k := range min(len(old), len(fresh)) {
			pair(old[k], fresh[k])
		}
	})
	var out []pairing
	next := 0
	add := func(until int) {
		for ; next < until; next++ {
			if !taken[next] {
				out = append(out, pairing{old: -1, new: next})
			}
		}
	}
	for i := range n {
		if partner[i] >= 0 && !moved[i] {
			add(partner[i])
		}
		out = append(out, pairing{i, partner[i], moved[i]})
	}
	add(m)
	return out
}

// common pairs a longest common subsequence of the items from a to b of one list and from c
// to d of another.
func common(a, b, c, d int, same func(i, j int) bool, pair func(i, j int)) {
	for a < b && c < d && same(a, c) {
		pair(a, c)
		a, c = a+1, c+1
	}
	for a < b && c < d && same(b-1, d-1) {
		b, d = b-1, d-1
		pair(b, d)
	}
	if a == b || c == d {
		return
	}
	// longest[i][j] is that of the items from a+i and from c+j.
	longest := make([][]int, b-a+1)
	equal := make([][]bool, b-a)
	for i := b - a; i >= 0; i-- {
		longest[i] = make([]int, d-c+1)
		if i == b-a {
			continue
		}
		equal[i] = make([]bool, d-c)
		for j := d - c - 1; j >= 0; j-- {
			if equal[i][j] = same(a+i, c+j); equal[i][j] {
				longest[i][j] = 1 + longest[i+1][j+1]
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < b-a && j < d-c; {
		switch {
		case equal[i][j]:
			pair(a+i, c+j)
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			i++
		default:
			j++
		}
	}
}
