package commitlog

import "sync/atomic"

// room says whether there is space on the volume to reserve some ahead of writes.
// What one log reserves no other can use, so it is only done while there is much.
type room struct{ much atomic.Bool }

// muchRoom is the free bytes from which on space is reserved.
const muchRoom = 8 << 30

func (r *room) plenty() bool { return r.much.Load() }

// short says that reserving failed: not again until update finds room.
func (r *room) short() { r.much.Store(false) }

// update looks how much is free; what cannot be found out is little.
func (r *room) update(free int64, err error) { r.much.Store(err == nil && free >= muchRoom) }
