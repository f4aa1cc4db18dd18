package main

import "context"

type auditCommands struct {
	List auditList `cmd:"" help:"List the lifecycle events of an account, newest first."`
}

var eventColumns = []column{
	{"POSITION", "position"}, {"TIME", "event.time"}, {"EVENT", "event.type"}, {"ABOUT", "event.subject"},
	{"ACTOR", "event.actor"}, {"SOURCE IP", "event.sourceip"}, {"REQUEST", "event.requestid"},
}

type auditList struct {
	tenancy
	paging
	Actor  string `placeholder:"ACTOR" help:"Only what this actor did: <account>/<user>, or system:<part>."`
	User   string `placeholder:"USER" help:"Only events about this user and its keys, by ID or name."`
	Key    string `placeholder:"KEY" help:"Only events about this access key."`
	Action string `placeholder:"EVENT" predictor:"actions" help:"Only events of this name, e.g. key.created."`
	Since  moment `placeholder:"TIME" help:"Only events at or after this time: RFC 3339, or a day."`
	Until  moment `placeholder:"TIME" help:"Only events before this time."`
}

func (a *auditList) Run(ctx context.Context, t *terminal, c *client) error {
	q := a.query()
	if err := c.setUser(ctx, q, a.tenancy, a.User); err != nil {
		return err
	}
	set(q, "actor", a.Actor)
	set(q, "access_key_id", a.Key)
	set(q, "action", a.Action)
	set(q, "since", a.Since.text())
	set(q, "until", a.Until.text())
	return a.list(ctx, t, c, "/v1/audit", q, eventColumns)
}
