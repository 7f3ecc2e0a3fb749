package web

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/kvarter/kvarter/internal/fault"
)

// named answers requests to one of the allowed hosts only. A page of another site can have its own
// name resolve to this machine, and its reader's browser would then hand it our answers; but the
// browser still tells the name.
func (s *server) named(next http.Handler) http.Handler {
	if len(s.AllowedHosts) == 0 || slices.Contains(s.AllowedHosts, "*") {
		return next
	}
	allowed := make([]string, len(s.AllowedHosts))
	for i, host := range s.AllowedHosts {
		allowed[i] = hostOf(host)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		// No browser leaves the name out.
		if host == "" || slices.Contains(allowed, host) {
			next.ServeHTTP(w, r)
			return
		}
		e := refused(fault.Forbidden, "this server does not answer to the name %q, only to %s; if the name is meant for "+
			"it, start it with --allow-host %s", host, strings.Join(allowed, ", "), host)
		if r.URL.Path == "/graphql" {
			recordOf(r.Context()).errors = gqlerror.List{e}
			respond(w, http.StatusMisdirectedRequest, legacyJSON, answer{Errors: gqlerror.List{e}})
			return
		}
		plain(w, http.StatusMisdirectedRequest, e.Message)
	})
}

// hostOf is the host of a Host header or an address, in one spelling: without the port, brackets,
// the root's dot and capitals.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
