package keyring

import (
	"cmp"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

// ruleUnrestrict is the rule that keeps a key restricted for good.
const ruleUnrestrict = "leak.unrestrict"

// restrict is refused for no key that is there: a leak does not wait for its key to be in the
// right state.
func restrict(s State, c Restrict) ([]events.Event, error) {
	k, err := lookup(s, c.Key, cmp.Or(validText("reason", c.Reason), validTextOf("found_in", c.FoundIn, maxFoundIn)))
	switch {
	case err != nil:
		return nil, err
	case k.Restricted:
		return nothing()
	}
	return facts(events.KeyRestricted{Key: k.ID, Reason: c.Reason, FoundIn: c.FoundIn})
}

func unrestrict(s State, c Unrestrict) ([]events.Event, error) {
	k, err := lookup(s, c.Key, cmp.Or(validText("reason", c.Reason), validPolicy(c.Policy)))
	switch {
	case err != nil:
		return nil, err
	case !k.Restricted:
		return nothing()
	case !policy.MayUnrestrict(c.Policy):
		return nil, aggregate.Refuse(aggregate.Denied, ruleUnrestrict,
			"under the account's policy the restriction of a key cannot be ended; create another key, and delete key %s", k.ID)
	}
	return facts(events.KeyUnrestricted{Key: k.ID, Reason: c.Reason})
}
