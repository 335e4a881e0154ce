package refresh

import "testing"

// TestPlaces: one queue gets half of the places, two get a third each, and never are more taken than
// there are.
func TestPlaces(t *testing.T) {
	t.Parallel()
	p := &Places{InAll: 12}
	queues := make([]Queue, 20)
	for p.Enter(&queues[0]) { // until there is none
	}
	if n := p.Taken(); n != 6 {
		t.Errorf("one alone has %d", n)
	}
	for i := 1; i <= 7; i++ {
		if free := i <= 6; p.Enter(&queues[i]) != free {
			t.Errorf("queue %d gets a place: %t", i, !free)
		}
	}
	if n := p.Taken(); n != 12 {
		t.Errorf("%d of 12 are taken", n)
	}
	for i := range queues {
		for queues[i].taken > 0 {
			p.Leave(&queues[i])
		}
	}
	if n := p.Taken(); n != 0 {
		t.Errorf("%d are taken when all have left", n)
	}
	for range 20 {
		p.Enter(&queues[0])
		p.Enter(&queues[1])
	}
	if queues[0].taken != 4 || queues[1].taken != 4 {
		t.Errorf("two have %d and %d, want 4 each", queues[0].taken, queues[1].taken)
	}
}
