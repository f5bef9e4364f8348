// What ThreadSanitizer reports in libraries and we cannot mend. Does nothing in other builds.
extern "C" const char* __tsan_default_suppressions();

// When a broker sends DISCONNECT, libmosquitto 2.0 unlocks a mutex that it did not lock. Only the
// link's thread ever uses that mutex.
extern "C" const char* __tsan_default_suppressions() { return "mutex:libmosquitto.so\n"; }
