package configs

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/config"
)

// quotaNames are the quotas of each entity type.
var quotaNames = map[string][]string{
	entityUsers:   {"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"},
	entityClients: {"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"},
	entityIPs:     {"connection_creation_rate"},
}

// quotaTypes are the wire names of entity types, and their names in results.
var quotaTypes = map[string]struct{ wire, text string }{
	entityUsers:   {"user", "user-principal"},
	entityClients: {"client-id", "client-id"},
	entityIPs:     {"ip", "ip"},
}

// The SCRAM mechanisms and their numbers.
var scramMechanisms = map[string]int8{"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}

const (
	scramMinIterations = 4096
	scramMaxIterations = 16384
)

func (c *command) describeQuotas(ctx context.Context, list []entity) error {
	quotas, err := c.quotas(ctx, list)
	if err != nil {
		return err
	}
	for _, q := range quotas {
		var values []string
		for _, v := range q.Values {
			values = append(values, v.Key+"="+config.FormatDouble(v.Value, 64))
		}
		slices.Sort(values)
		c.s.Printf("Quota configs for %s are %s\n", quotaEntity(q.Entity), strings.Join(values, ", "))
	}
	if len(list) == 1 && list[0].typ == entityUsers && !list[0].isDefault() {
		return c.describeScram(ctx, list[0].name)
	}
	return nil
}

// quotas asks for the quotas of exactly these entity types.
func (c *command) quotas(ctx context.Context, list []entity) ([]kmsg.DescribeClientQuotasResponseEntry, error) {
	req := kmsg.NewPtrDescribeClientQuotasRequest()
	req.Strict = true
	for _, e := range list {
		part := kmsg.NewDescribeClientQuotasRequestComponent()
		part.EntityType = quotaTypes[e.typ].wire
		switch {
		case e.name == nil:
			part.MatchType = kmsg.QuotasMatchTypeAny
		case *e.name == "":
			part.MatchType = kmsg.QuotasMatchTypeDefault
		default:
			part.MatchType, part.Match = kmsg.QuotasMatchTypeExact, e.name
		}
		req.Components = append(req.Components, part)
	}
	resp, err := c.conn.Ask(ctx, "describeClientQuotas", req)
	if err != nil {
		return nil, exception.InFuture(err)
	}
	r := resp.(*kmsg.DescribeClientQuotasResponse) //nolint:forcetypeassert // the request's own response
	if err := exception.FromBroker(r.ErrorCode, r.ErrorMessage); err != nil {
		return nil, exception.InFuture(err)
	}
	slices.SortFunc(r.Entries, func(a, b kmsg.DescribeClientQuotasResponseEntry) int {
		return strings.Compare(quotaEntity(a.Entity), quotaEntity(b.Entity))
	})
	return r.Entries, nil
}

func quotaEntity(parts []kmsg.DescribeClientQuotasResponseEntryEntity) string {
	var words []string
	for _, e := range []string{entityUsers, entityClients, entityIPs} {
		for _, p := range parts {
			if p.Type != quotaTypes[e].wire {
				continue
			}
			if p.Name == nil {
				words = append(words, "the default "+quotaTypes[e].text)
				continue
			}
			words = append(words, quotaTypes[e].text+" '"+*p.Name+"'")
		}
	}
	return strings.Join(words, ", ")
}

func (c *command) describeScram(ctx context.Context, name *string) error {
	req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
	if name != nil {
		u := kmsg.NewDescribeUserSCRAMCredentialsRequestUser()
		u.Name = *name
		req.Users = append(req.Users, u)
	}
	resp, err := c.conn.Ask(ctx, "describeUserScramCredentials", req)
	if err != nil {
		return exception.InFuture(err)
	}
	r := resp.(*kmsg.DescribeUserSCRAMCredentialsResponse) //nolint:forcetypeassert // the request's own response
	if err := exception.FromBroker(r.ErrorCode, r.ErrorMessage); err != nil {
		return exception.InFuture(err)
	}
	for _, u := range r.Results {
		if u.ErrorCode == kerr.ResourceNotFound.Code {
			continue
		}
		if err := exception.FromBroker(u.ErrorCode, u.ErrorMessage); err != nil {
			return exception.InFuture(err)
		}
		var parts []string
		for mechanism, number := range scramMechanisms {
			for _, i := range u.CredentialInfos {
				if i.Mechanism == number {
					parts = append(parts, fmt.Sprintf("%s=iterations=%d", mechanism, i.Iterations))
				}
			}
		}
		slices.Sort(parts)
		c.s.Printf("SCRAM credential configs for user-principal '%s' are %s\n", u.User, strings.Join(parts, ", "))
	}
	return nil
}

func (c *command) alterQuotas(ctx context.Context, list []entity) error {
	add, err := configsToAdd(c.set)
	if err != nil {
		return err
	}
	remove := configsToDelete(c.set)
	scram, err := checkQuotaNames(list, add, remove)
	if err != nil {
		return err
	}
	if scram {
		err = c.alterScram(ctx, *list[0].name, add, remove)
	} else {
		err = c.alterQuotaValues(ctx, list, add, remove)
	}
	if err != nil {
		return err
	}
	c.completed(list[0])
	return nil
}

// checkQuotaNames returns an error for a name that is neither a quota nor a credential, and for a mixture of both. It reports
// whether the names are credentials.
func checkQuotaNames(list []entity, add map[string]string, remove []string) (bool, error) {
	first := list[0].typ
	isQuota := func(n string) bool { return slices.Contains(quotaNames[first], n) }
	isScram := func(n string) bool {
		_, ok := scramMechanisms[n]
		return ok && first == entityUsers && len(list) == 1
	}
	names := append(slices.Sorted(maps.Keys(add)), remove...)
	quotas, scrams := slices.ContainsFunc(names, isQuota), slices.ContainsFunc(names, isScram)
	unknown := slices.DeleteFunc(slices.Sorted(maps.Keys(add)), func(n string) bool { return isQuota(n) || isScram(n) })
	if len(unknown) > 0 {
		what := map[string]string{entityUsers: "quota and SCRAM credential", entityClients: "quota", entityIPs: "connection quota"}[first]
		if len(list) > 1 {
			what = "quota"
		}
		return false, exception.New(exception.IllegalArgument, "Only %s configs can be added for '%s' using --bootstrap-server. Unexpected config names: Set(%s)", what, first, strings.Join(unknown, ", "))
	}
	if quotas && scrams {
		return false, exception.New(exception.IllegalArgument, "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using --bootstrap-server.")
	}
	return scrams, nil
}

func (c *command) alterQuotaValues(ctx context.Context, list []entity, add map[string]string, remove []string) error {
	if len(remove) > 0 {
		current, err := c.quotas(ctx, list)
		if err != nil {
			return err
		}
		invalid := slices.DeleteFunc(slices.Clone(remove), func(name string) bool {
			return slices.ContainsFunc(current, func(q kmsg.DescribeClientQuotasResponseEntry) bool {
				return slices.ContainsFunc(q.Values, func(v kmsg.DescribeClientQuotasResponseEntryValue) bool { return v.Key == name })
			})
		})
		if len(invalid) > 0 {
			return invalidConfigs(invalid)
		}
	}
	req := kmsg.NewPtrAlterClientQuotasRequest()
	entry := kmsg.NewAlterClientQuotasRequestEntry()
	for _, e := range list {
		part := kmsg.NewAlterClientQuotasRequestEntryEntity()
		part.Type = quotaTypes[e.typ].wire
		if *e.name != "" {
			part.Name = e.name
		}
		entry.Entity = append(entry.Entity, part)
	}
	for _, name := range slices.Sorted(maps.Keys(add)) {
		v, err := strconv.ParseFloat(add[name], 64)
		if err != nil {
			return exception.New(exception.IllegalArgument, "Cannot parse quota configuration value for %s: %s", name, add[name])
		}
		op := kmsg.NewAlterClientQuotasRequestEntryOp()
		op.Key, op.Value = name, v
		entry.Ops = append(entry.Ops, op)
	}
	for _, name := range remove {
		op := kmsg.NewAlterClientQuotasRequestEntryOp()
		op.Key, op.Remove = name, true
		entry.Ops = append(entry.Ops, op)
	}
	req.Entries = append(req.Entries, entry)
	resp, err := c.conn.Ask(ctx, "alterClientQuotas", req)
	if err != nil {
		return exception.InFuture(err)
	}
	for _, e := range resp.(*kmsg.AlterClientQuotasResponse).Entries { //nolint:forcetypeassert // the request's own response
		if err := exception.FromBroker(e.ErrorCode, e.ErrorMessage); err != nil {
			return exception.InFuture(err)
		}
	}
	return nil
}

func (c *command) alterScram(ctx context.Context, user string, add map[string]string, remove []string) error {
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	for _, mechanism := range slices.Sorted(maps.Keys(add)) {
		u, err := scramUpsertion(user, mechanism, add[mechanism])
		if err != nil {
			return err
		}
		req.Upsertions = append(req.Upsertions, u)
	}
	for _, mechanism := range remove {
		d := kmsg.NewAlterUserSCRAMCredentialsRequestDeletion()
		d.Name, d.Mechanism = user, scramMechanisms[mechanism]
		req.Deletions = append(req.Deletions, d)
	}
	resp, err := c.conn.Ask(ctx, "alterUserScramCredentials", req)
	if err != nil {
		return exception.InFuture(err)
	}
	for _, r := range resp.(*kmsg.AlterUserSCRAMCredentialsResponse).Results { //nolint:forcetypeassert // the request's own response
		if err := exception.FromBroker(r.ErrorCode, r.ErrorMessage); err != nil {
			return exception.InFuture(err)
		}
	}
	return nil
}

// scramUpsertion makes the credential of iterations=N,password=P. The password itself is not sent.
func scramUpsertion(user, mechanism, spec string) (kmsg.AlterUserSCRAMCredentialsRequestUpsertion, error) {
	u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	u.Name, u.Mechanism, u.Iterations = user, scramMechanisms[mechanism], scramMinIterations
	password := ""
	for part := range strings.SplitSeq(spec, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch k {
		case "iterations":
			n, err := tool.ParseInt32(v)
			if err != nil {
				return u, exception.New(exception.IllegalArgument, "Invalid iterations value: %s", v)
			}
			u.Iterations = n
		case "password":
			password = v
		default:
			return u, exception.New(exception.IllegalArgument, "Invalid credential property %s for %s", k, mechanism)
		}
	}
	switch {
	case u.Iterations < scramMinIterations:
		return u, exception.New(exception.IllegalArgument, "Iterations %d is less than the minimum %d required for %s", u.Iterations, scramMinIterations, mechanism)
	case u.Iterations > scramMaxIterations:
		return u, exception.New(exception.IllegalArgument, "Iterations %d is greater than the maximum %d required for %s", u.Iterations, scramMaxIterations, mechanism)
	case password == "":
		return u, exception.New(exception.IllegalArgument, "Password must be specified for %s", mechanism)
	}
	u.Salt = make([]byte, 32)
	_, _ = rand.Read(u.Salt) // never fails, by its documentation
	salted, err := saltedPassword(mechanism, password, u.Salt, int(u.Iterations))
	if err != nil {
		return u, fmt.Errorf("salt the password: %w", err)
	}
	u.SaltedPassword = salted
	return u, nil
}

func saltedPassword(mechanism, password string, salt []byte, iterations int) ([]byte, error) {
	if mechanism == "SCRAM-SHA-256" {
		return pbkdf2.Key(func() hash.Hash { return sha256.New() }, password, salt, iterations, sha256.Size)
	}
	return pbkdf2.Key(func() hash.Hash { return sha512.New() }, password, salt, iterations, sha512.Size)
}
