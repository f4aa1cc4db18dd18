package access

import (
	"math"
	"time"
)

// A month is a calendar month in UTC: how many since January 1970. Times before are in
// the first and times after the year 7431 in the last, so that the order holds.
type month uint16

// A day is how many days in UTC since 1970.
type day int32

const microsPerDay = 24 * 60 * 60 * 1_000_000

func dayOf(micros int64) day {
	d := micros / microsPerDay
	if micros%microsPerDay < 0 {
		d--
	}
	return day(d)
}

// number is the day as a number that is not negative, in the same order.
func (d day) number() uint64 { return uint64(uint32(d) ^ 1<<31) }

func dayOfNumber(n uint64) day { return day(uint32(n) ^ 1<<31) }

func (d day) time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// fits says whether all of the day can be told in microseconds.
func (d day) fits() bool { return d > math.MinInt64/microsPerDay && d < math.MaxInt64/microsPerDay }

func (d day) month() month {
	year, m, _ := d.time().Date()
	return month(min(max((year-1970)*12+int(m)-1, 0), math.MaxUint16))
}

func monthOf(micros int64) month { return dayOf(micros).month() }

// A calendar finds the month of a time; that of the day before is remembered.
type calendar struct {
	day   day
	month month
	known bool
}

func (c *calendar) monthOf(d day) month {
	if !c.known || c.day != d {
		*c = calendar{day: d, month: d.month(), known: true}
	}
	return c.month
}

// ceiling is the first microsecond that is not before t.
func ceiling(t time.Time) int64 {
	micros := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		micros++
	}
	return micros
}

// ceilingDay is the first day that does not begin before t.
func ceilingDay(t time.Time) day {
	micros := ceiling(t)
	d := dayOf(micros)
	if micros > int64(d)*microsPerDay {
		d++
	}
	return d
}
