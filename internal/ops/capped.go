package ops

import (
	"math"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// droppedName is the name of the metric that counts series that were left out.
const droppedName = "bote_metrics_dropped_series"

// capped limits the number of series. It cuts the families that have most, so that a
// flood of topics or groups does not displace the other families.
func capped(g prometheus.Gatherer, most int) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := g.Gather()
		kept := share(families, most)
		dropped := 0
		for _, f := range families {
			if n := len(f.GetMetric()); n > kept {
				dropped += n - kept
				f.Metric = f.Metric[:kept]
			}
		}
		families = slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return len(f.GetMetric()) == 0 })
		families = append(families, droppedFamily(dropped))
		slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
		return families, err
	})
}

// share returns how many series each family may show so that all together fit.
func share(families []*dto.MetricFamily, most int) int {
	sizes := make([]int, 0, len(families))
	for _, f := range families {
		sizes = append(sizes, len(f.GetMetric()))
	}
	slices.Sort(sizes)
	for i, size := range sizes {
		left := len(sizes) - i
		if size*left > most {
			return most / left
		}
		most -= size
	}
	return math.MaxInt
}

func droppedFamily(n int) *dto.MetricFamily {
	value := float64(n)
	return &dto.MetricFamily{
		Name: new(droppedName), Help: new("Series left out of this answer because there are too many."), Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &value}}},
	}
}
