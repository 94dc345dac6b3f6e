// tests/bench/empty_module.js: what fresh_process.js imports to learn the price of importing nothing.

export {};
