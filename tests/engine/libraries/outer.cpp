extern "C" int sagcl_inner();
extern "C" int sagcl_outer() { return sagcl_inner(); }
