package crash_test

import "context"

func (l *lab) startJava(_, _ context.Context) {}
