import { t } from './text.js';

/** A device, such as `Firefox on Linux`, in the language of the page: the server names it in English. */
export function deviceName(label: string): string {
  const [browser = '', system] = label.split(' on ');
  return system === undefined ? label : t.account.devices.name(browser, system);
}
