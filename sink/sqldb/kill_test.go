package sqldb_test

func child() {}
