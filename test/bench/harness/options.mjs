import { InvalidArgumentError } from 'commander';

/** A whole number of at least 1, as an option's value. */
export function positive(text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number, 1 or more');
  return value;
}

/** A whole number of at least 0, as an option's value. */
export const atLeastNone = (text) => (text === '0' ? 0 : positive(text));

/** `NAME=value`, again and again, to an object. */
export function collectSettings(text, sofar) {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('NAME=value');
  return { ...sofar, [text.slice(0, at)]: text.slice(at + 1) };
}
