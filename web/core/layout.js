// web/core/layout.js: the words of what JavaScript and the core share in memory. The build compares these figures with those of
// bindings/bindings.cpp. Pure; imports nothing.

/** Counts up with every change of what is bound. */
export const INTERFACE_VERSION = 3;

/** `Segment`: address, length, dtype and group, of 32 bits each. */
export const SEGMENT_WORDS = 4;

/** `PartialState`, of 64 bits each; web/core/partial.js has their names. */
export const PARTIAL_WORDS = 9;

/** `HealthState`, of 64 bits each. */
export const HEALTH_WORDS = 13;

/** `Row`, doubles. */
export const ROW_NUMBERS = 10;

/** What is known of a piece: the words of its partial and health, and the value of the first element that is not finite. */
export const PIECE_WORDS = 23;
