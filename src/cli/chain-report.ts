import { type ChainPlace, placeText } from '../audit/chain-head.js';
import type { ChainFault, ChainReport } from '../audit/chain-verification.js';

type Broken = NonNullable<ChainReport['broken']>;

const FAULTS: Readonly<Record<ChainFault, string>> = {
  changed: 'the event was changed',
  missing: 'an event is missing',
  inserted: 'an event was inserted',
  reordered: 'events were reordered',
  cut: 'the end of the trail was cut off',
  cut_at_start: 'events before this place are gone, and the trail does not say that their time was over',
  another_head: 'another event stands there than the one that was noted',
  head_too_old: 'it lies before the oldest event that is kept',
  no_chain: 'where the trail begins and ends is gone',
};

/** What verifying came to, for a person. */
export function chainText(report: ChainReport): string {
  const { events, first, head: last, unsealed } = report;
  const lines = [
    first === null || last === null
      ? 'No event was sealed yet.'
      : `${goodEvents(first, events)}${ending(report, first.seq + BigInt(events), last)}`,
    ...(first !== null && first.seq > 0n && report.broken?.fault !== 'cut_at_start'
      ? [`Until ${first.seq} they were deleted: their time was over.`]
      : []),
    ...(unsealed.events > 0 && unsealed.since
      ? [`${unsealed.events} wait to be sealed, the oldest since ${unsealed.since.toISOString()}.`]
      : []),
  ];
  return lines.join('\n');
}

function goodEvents(first: ChainPlace, events: number): string {
  const good = `${events} ${events === 1 ? 'event fits' : 'events fit'}`;
  return events > 0 ? `${good}, from ${first.seq + 1n} to ${first.seq + BigInt(events)}` : good;
}

/** What comes behind the last place that fits: a break only where there is one. */
function ending({ broken }: ChainReport, end: bigint, last: ChainPlace): string {
  if (broken && broken.seq === end + 1n) return '; then the chain breaks.';
  return broken && broken.fault !== 'another_head' && broken.fault !== 'head_too_old'
    ? '.'
    : `; the head is ${placeText(last)}.`;
}

/** What is wrong, in one line. */
export function faultText(broken: Broken): string {
  return `${leadIn(broken)}: ${FAULTS[broken.fault]}`;
}

/** A chain can be whole in itself, and yet another one than the one whose head was noted. */
function leadIn({ fault, seq }: Broken): string {
  if (fault === 'another_head') return `the audit trail does not have the given head at ${seq}`;
  if (fault === 'head_too_old') return `the given head at ${seq} cannot be compared`;
  return `the audit trail is broken at ${seq}`;
}
