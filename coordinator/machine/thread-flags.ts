// Flags of Node for the threads that Piscina starts.

/**
 * Piscina would load the entry file by `require`, and a thread that is ended inside of that takes the process along (Node.js 20.20:
 * "v8::Module::IsGraphAsync must be used on an instantiated module"). Where it cannot, it imports.
 */
export const NO_REQUIRE = '--no-experimental-require-module';
