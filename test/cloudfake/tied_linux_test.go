package cloudfake_test

func tied() bool { return true }
