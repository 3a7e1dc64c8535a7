// Stands in for libcuda.so.1 without a function in it: a driver that is there and does not work.
extern "C" int sagcl_fake_driver() { return 0; }
