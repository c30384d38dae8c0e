package nuget

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDownloadsTellHowFarTheyAre(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said []string
		m := &meter{title: "Acme.X 1.0.0", total: 3_000_000, log: func(text string) { said = append(said, text) }, told: time.Now()}
		for range 3 {
			if _, err := m.Write(make([]byte, 1_000_000)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(reportEvery * 2 / 3)
		}
		m.total = -1 // of an answer that does not say
		time.Sleep(reportEvery)
		if _, err := m.Write(make([]byte, 500_000)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"downloading Acme.X 1.0.0: 3.0 of 3.0 MB", "downloading Acme.X 1.0.0: 3.5 MB"}, said); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
