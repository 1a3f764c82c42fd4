/** An Express application behind one proxy; with `--loaded` it carries what Traffy always does. */
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { pinoHttp } from 'pino-http';

export const app = express();
app.set('trust proxy', 1);
app.disable('x-powered-by');
if (process.argv.includes('--loaded')) {
  app.use(pinoHttp({ level: 'info' }));
  app.use(helmet());
  app.use(
    rateLimit({
      windowMs: 60_000,
      // Counts, and never refuses what is measured.
      limit: 100_000_000,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
    }),
  );
}

app.get('/ready', (_request, response) => {
  response.json({ status: 'ok' });
});

export function listen() {
  app.listen(Number(process.env['PORT']), '127.0.0.1');
}

export const json = express.json();
