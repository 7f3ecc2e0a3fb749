package command

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/web"
)

var snapshots = command{
	name:     "snapshots",
	operands: "[list | use NAME | remove NAME]",
	does:     "list the data sets of DIR; take one into use, which undoes an import; or delete one",
	declare: func(flags *flag.FlagSet) action {
		dir := dataFlag(flags)
		return func(ctx context.Context, operands []string, out, _ io.Writer) (int, error) {
			switch {
			case len(operands) == 0, len(operands) == 1 && operands[0] == "list":
				return listSnapshots(*dir, out)
			case len(operands) == 2 && operands[0] == "use":
				return useSnapshot(ctx, *dir, operands[1], out)
			case len(operands) == 2 && operands[0] == "remove":
				if err := snapshot.Remove(*dir, operands[1]); err != nil {
					return trouble, err
				}
				fmt.Fprintf(out, "Deleted %s.\n", operands[1])
				return done, nil
			}
			return trouble, fault.Invalidf("`list`, `use NAME` or `remove NAME` was expected, not %q",
				strings.Join(operands, " "))
		}
	},
}

func listSnapshots(dir string, out io.Writer) (int, error) {
	kept, err := snapshot.List(dir)
	if err != nil {
		return trouble, err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tDATA\tYEARS\tFINGERPRINT\tMB\tMADE\tTITLE")
	for _, k := range kept {
		state := "-"
		switch {
		case k.Current && k.Held:
			state = "in use, served"
		case k.Current:
			state = "in use"
		case k.Held:
			state = "served"
		}
		size := fmt.Sprintf("%.1f", float64(k.Bytes)/1e6)
		if k.Problem != nil {
			fmt.Fprintf(w, "%s\t%s\t?\t?\t?\t%s\t?\tcannot be used: %s\n", k.Name, state, size,
				fault.Message(k.Problem))
			continue
		}
		kind, years := "not synthetic", "-"
		if k.Info.Synthetic {
			kind = "synthetic"
		}
		if n := len(k.Info.Years); n > 0 {
			years = fmt.Sprintf("%d-%d", k.Info.Years[0], k.Info.Years[n-1])
		}
		made := "?"
		if k.Info.Created != "" {
			made = k.Info.Created
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.12s\t%s\t%s\t%s\n", k.Name, state, kind, years, k.Info.Fingerprint, size,
			made, k.Info.Title)
	}
	if err := w.Flush(); err != nil {
		return trouble, err
	}
	if _, _, err := snapshot.Current(dir); err != nil {
		return no, err
	}
	return done, nil
}

// useSnapshot switches to a data set after it was opened, so that none is in use which cannot be.
func useSnapshot(ctx context.Context, dir, name string, out io.Writer) (int, error) {
	c, err := parseContract()
	if err != nil {
		return trouble, err
	}
	before, _, _ := snapshot.Current(dir)
	var info snapshot.Info
	err = snapshot.Use(dir, name, func(folder string, found snapshot.Info) error {
		info = found
		d, err := openFolder(ctx, folder, found, c, web.DefaultLimits())
		if err != nil {
			return err
		}
		return d.close()
	})
	if err != nil {
		return trouble, err
	}
	tell(out, info, dir, before, "")
	return done, nil
}
