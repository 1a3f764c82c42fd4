import { type ChainPlace, placeText } from '../audit/chain-head.js';
import type { ChainFault, ChainReport } from '../audit/chain-verification.js';

type Broken = NonNullable<ChainReport['broken']>;

const FAULTS: Readonly<Record<ChainFault, string>> = {
  changed: 'the event was changed',
  missing: 'an event is missing',
  inserted: 'an event was inserted',
  reordered: 'events were reordered',
  cut: 'the end of the trail was cut off',
  cut_at_start: 'events before this one are missing, and no retention purge recorded their deletion',
  another_head: 'it holds another event than the one that was noted',
  head_too_old: 'it is older than the oldest event that is kept',
  no_chain: 'the record of its start and end is missing',
};

/** The result of the verification, as text. */
export function chainText(report: ChainReport): string {
  const { events, first, head: last, unsealed } = report;
  const lines = [
    first === null || last === null
      ? 'No event has been sealed yet.'
      : `${goodEvents(first, events)}${ending(report, first.seq + BigInt(events), last)}`,
    ...(first !== null && first.seq > 0n && report.broken?.fault !== 'cut_at_start'
      ? [`Events up to ${first.seq} were deleted when their retention ended.`]
      : []),
    ...(unsealed.events > 0 && unsealed.since
      ? [`${unsealed.events} not sealed yet, the oldest since ${unsealed.since.toISOString()}.`]
      : []),
  ];
  return lines.join('\n');
}

function goodEvents(first: ChainPlace, events: number): string {
  const good = `${events} ${events === 1 ? 'valid event' : 'valid events'}`;
  return events > 0 ? `${good}, from ${first.seq + 1n} to ${first.seq + BigInt(events)}` : good;
}

/** The end of the line on valid events: a break is named only if it follows directly. */
function ending({ broken }: ChainReport, end: bigint, last: ChainPlace): string {
  if (broken && broken.seq === end + 1n) return '; the chain breaks after that.';
  return broken && broken.fault !== 'another_head' && broken.fault !== 'head_too_old'
    ? '.'
    : `; the head is ${placeText(last)}.`;
}

/** The fault, in one line. */
export function faultText(broken: Broken): string {
  return `${leadIn(broken)}: ${FAULTS[broken.fault]}`;
}

/** A chain can be valid and still differ from the chain whose head was noted. */
function leadIn({ fault, seq }: Broken): string {
  if (fault === 'another_head') return `the audit trail does not have the given head at ${seq}`;
  if (fault === 'head_too_old') return `the given head at ${seq} cannot be compared`;
  return `the audit trail is broken at ${seq}`;
}
