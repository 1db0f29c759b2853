package delivery

const crashEnv = "BOTE_DELIVERY_CRASH"

func crashChild() {}
