/**
 * Where reverse proxies ask whether a request may pass. They send the header fields that a browser meant for the
 * service behind them: its Accept says nothing about our answer.
 */
export const FORWARD_AUTH_PATH = '/verify';
