package console

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/iomete/saml"
)

// A person is how a user looks: on the home page, and as the preview of a test sign-in.
type person struct {
	Email, Name, Username string
	Groups                []string
	MoreGroups            bool // than those: "not in a group" must not be concluded
	Roles                 []string
	Home                  string // where the account lives
	Guest                 bool
	ObjectID              string
}

func newPerson(i *saml.Identity, truncated bool) person {
	p := person{Email: i.Email, Name: cmp.Or(i.Name, strings.TrimSpace(i.GivenName+" "+i.Surname), i.Email),
		Username: i.Username, Groups: i.Groups, MoreGroups: i.GroupsOverage ||
			truncated, Roles: i.Roles, ObjectID: i.ObjectID}
	p.Home = guestOf(i)
	p.Guest = p.Home != ""
	if !p.Guest {
		p.Home = i.TenantID
	}
	return p
}

type homePage struct {
	page
	Section  string // "", "sql" or "jobs"
	Person   *person
	Clusters []cluster
	Jobs     []job
	Job      *job
	Query    string
	Rows     []resultRow
}

func (c *Console) showHome(w http.ResponseWriter, r *http.Request, v visitor) {
	section, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	title := map[string]string{"": "Overview", "sql": "SQL editor", "jobs": "Jobs"}[section]
	p := homePage{Section: section, Clusters: clusters, Jobs: jobs, Query: query, Rows: result}
	if name := r.PathValue("name"); name != "" {
		for i := range jobs {
			if jobs[i].Name == name {
				p.Job, title = &jobs[i], "Job "+name
			}
		}
		if p.Job == nil {
			c.notFound(w, r)
			return
		}
	}
	p.page = c.newPage(r, title, v)
	if v.User != nil {
		person := newPerson(v.User.Identity, v.User.GroupsTruncated)
		p.Person = &person
	}
	render(w, http.StatusOK, "home", p)
}

// What follows stands in for a data plane: it never changes.

type cluster struct {
	Name, Kind, State string
	Executors         string
	Memory            string
}

var clusters = []cluster{
	{"analytics-prod", "Lakehouse, Spark 3.5", "running", "8 of 12", "192 GiB"},
	{"finance-reporting", "Lakehouse, Spark 3.5", "running", "3 of 6", "96 GiB"},
	{"data-science", "Notebook kernels", "idle", "0 of 10", "0 GiB"},
	{"ingest-stream", "Streaming", "running", "4 of 4", "64 GiB"},
}

type job struct {
	Name, Schedule, LastRun, State string
	Note                           string
}

var jobs = []job{
	{"nightly-orders", "every day at 02:00", "2 min 41 s", "succeeded",
		"Loads orders from the shop into lake.sales.orders."},
	{"currency-rates", "every hour", "12 s", "succeeded", "Reads the reference rates of the European Central Bank."},
	{"churn-features", "Mondays at 05:30", "18 min 03 s", "failed",
		"Column tenure_days is missing in lake.crm.customers since the last schema change."},
	{"iceberg-compaction", "every day at 04:00", "7 min 55 s", "succeeded",
		"Rewrites small files and expires snapshots older than five days."},
}

const query = `SELECT region, count(*) AS orders, sum(amount) AS revenue
FROM lake.sales.orders
WHERE order_date >= current_date - INTERVAL 7 DAYS
GROUP BY region
ORDER BY revenue DESC`

type resultRow struct{ Region, Orders, Revenue string }

var result = []resultRow{
	{"EMEA", "18,204", "1,942,310.55"},
	{"Americas", "15,877", "1,731,092.10"},
	{"APAC", "9,310", "884,517.96"},
}
