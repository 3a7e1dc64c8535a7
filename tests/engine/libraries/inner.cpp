extern "C" int sagcl_inner() { return 42; }
