import { Inject, Injectable } from '@nestjs/common';
import { createTransport, type Transporter } from 'nodemailer';
import type { AppConfig } from '../../config/app.config.js';
import type { MailConfig } from '../../config/mail.config.js';
import type { PagesConfig } from '../../config/pages.config.js';
import { APP_CONFIG, MAIL_CONFIG, PAGES_CONFIG } from '../../config/tokens.config.js';
import { envelopeAddress, sender } from './mail-address.js';
import type { RenderedMail } from './render-mail.js';

/** Time limits in milliseconds: DNS, connection, greeting, silence, and in total. */
const TIMEOUTS = { dns: 5_000, connection: 10_000, greeting: 10_000, silence: 10_000 };
const SENDING_MAX = 30_000;

/** A mail for the mail server. */
export interface OutgoingMail extends RenderedMail {
  /** The same at each attempt, so that duplicates can be recognised. */
  readonly id: string;
  readonly at: Date;
  /** The address as stored. */
  readonly recipient: string;
}

/** Why a mail was not accepted, without the text of the server, which can repeat the address. */
export interface SendFailure {
  readonly reason: string;
  /** Whether the server refused permanently (5yz, RFC 5321 §4.2.1). */
  readonly finality: 'passing' | 'final';
}

/** The mail server of SMTP_URL. */
@Injectable()
export class MailTransport {
  private readonly transporter: Transporter | null;
  private readonly from: ReturnType<typeof sender>;
  private readonly host: string;

  constructor(
    @Inject(MAIL_CONFIG) mail: MailConfig,
    @Inject(APP_CONFIG) app: AppConfig,
    @Inject(PAGES_CONFIG) { BRAND_NAME }: PagesConfig,
  ) {
    this.host = new URL(app.PUBLIC_URL).hostname;
    const { name, address } = sender(mail.MAIL_FROM);
    this.from = { name: name || BRAND_NAME, address };
    this.transporter = mail.SMTP_URL === undefined ? null : open(mail.SMTP_URL, app, this.host);
  }

  /** Whether a mail server is configured. */
  get isConfigured(): boolean {
    return this.transporter !== null;
  }

  /**
   * Resolves when the server has accepted the mail.
   *
   * @throws the error of the mail client; see `sendFailure`.
   */
  async send({ id, at, recipient, subject, text, html }: OutgoingMail, signal: AbortSignal): Promise<void> {
    const to = envelopeAddress(recipient);
    if (!this.transporter || to === null) throw new TypeError('no mail server, or no address to send to');
    await this.transporter.sendMail({
      from: this.from,
      to: { name: '', address: to },
      envelope: { from: this.from.address, to: [to] },
      messageId: `<${id}@${this.host}>`,
      date: at,
      subject,
      text,
      html,
      // Makes each attempt identical to the byte.
      baseBoundary: id,
      headers: {
        // RFC 3834: prevents automatic replies.
        'Auto-Submitted': 'auto-generated',
        'X-Auto-Response-Suppress': 'All',
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(SENDING_MAX)]),
    });
  }
}

/** Reduces an error of `send` to codes, without texts. */
export function sendFailure(error: unknown): SendFailure {
  const { code, responseCode, command, name } = error as Record<string, unknown>;
  const parts = [code ?? name, responseCode, command].filter(
    (part) => typeof part === 'number' || (typeof part === 'string' && /^[\w ]{1,30}$/.test(part)),
  );
  return {
    reason: parts.join(' ') || 'error',
    finality: typeof responseCode === 'number' && responseCode >= 500 ? 'final' : 'passing',
  };
}

/** One connection per mail: a kept connection could have died. */
function open(smtpUrl: string, app: AppConfig, name: string): Transporter {
  const { protocol, hostname, port, username, password } = new URL(smtpUrl);
  const secure = protocol === 'smtps:';
  const transporter = createTransport({
    host: hostname.replace(/^\[|\]$/g, ''),
    ...(port !== '' && { port: Number(port) }),
    secure,
    ...(username !== '' && {
      auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
    }),
    // Only development sends a password without TLS.
    requireTLS: !secure && username !== '' && app.APP_ENV === 'production',
    name,
    dnsTimeout: TIMEOUTS.dns,
    connectionTimeout: TIMEOUTS.connection,
    greetingTimeout: TIMEOUTS.greeting,
    socketTimeout: TIMEOUTS.silence,
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // Set the envelope directly: address parsers rewrite some addresses and have read others into them.
  transporter.use('stream', ({ data, message }, proceed) => {
    const { from, to } = data.envelope as { from: string; to: string[] };
    message.getEnvelope = () => ({ from, to: [...to] });
    proceed();
  });
  return transporter;
}
