import { Inject, Injectable } from '@nestjs/common';
import { createTransport, type Transporter } from 'nodemailer';
import type { AppConfig } from '../../config/app.config.js';
import type { MailConfig } from '../../config/mail.config.js';
import { APP_CONFIG, MAIL_CONFIG } from '../../config/tokens.config.js';
import { envelopeAddress, sender } from './mail-address.js';
import type { RenderedMail } from './render-mail.js';

/** Milliseconds: to connect, for the greeting, and of silence; and for all of it. */
const TIMEOUTS = { dns: 5_000, connection: 10_000, greeting: 10_000, silence: 10_000 };
const SENDING_MAX = 30_000;

/** A mail on its way to the mail server. */
export interface OutgoingMail extends RenderedMail {
  /** The same at each attempt: with it, what arrives twice can be told to be one mail. */
  readonly id: string;
  readonly at: Date;
  /** The address as stored. */
  readonly recipient: string;
}

/** Why a mail was not taken, without what the server said: that may repeat the address. */
export interface SendFailure {
  readonly reason: string;
  /** Whether the server said that it will never take it (5yz, RFC 5321 §4.2.1). */
  readonly finality: 'passing' | 'final';
}

/** The mail server of SMTP_URL. */
@Injectable()
export class MailTransport {
  private readonly transporter: Transporter | null;
  private readonly from: ReturnType<typeof sender>;
  private readonly host: string;

  constructor(@Inject(MAIL_CONFIG) mail: MailConfig, @Inject(APP_CONFIG) app: AppConfig) {
    this.host = new URL(app.PUBLIC_URL).hostname;
    this.from = sender(mail.MAIL_FROM);
    this.transporter = mail.SMTP_URL === undefined ? null : open(mail.SMTP_URL, app, this.host);
  }

  /** Whether there is one. */
  get isConfigured(): boolean {
    return this.transporter !== null;
  }

  /**
   * Resolves once the server has taken the mail.
   *
   * @throws the mail client's error, to be told by `sendFailure`.
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
      // So that a mail is the same at each attempt, to the last byte.
      baseBoundary: id,
      headers: {
        // RFC 3834: nothing answers it by itself.
        'Auto-Submitted': 'auto-generated',
        'X-Auto-Response-Suppress': 'All',
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(SENDING_MAX)]),
    });
  }
}

/** What to keep of an error of `send`: codes, no texts. */
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

/** Each mail has a connection of its own: nothing stays open that could have died meanwhile. */
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
    // A password goes out in the clear in development only.
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
  // What the envelope says is not left to a parser of addresses: it would rewrite some, and has read others in them.
  transporter.use('stream', ({ data, message }, proceed) => {
    const { from, to } = data.envelope as { from: string; to: string[] };
    message.getEnvelope = () => ({ from, to: [...to] });
    proceed();
  });
  return transporter;
}
