package main

func (b *bench) idleClients() error { return nil }
