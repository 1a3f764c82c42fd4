/** The password of every hash below that has none of its own. */
export const FOREIGN_PASSWORD = 'correct hörse battery staple';

/** A hash that another implementation made: which format it is, and who made it. */
export interface ForeignHash {
  readonly format: string;
  readonly by: string;
  readonly hash: string;
  readonly password?: string;
}

/**
 * Known answers for every format that may be imported. They were made by other implementations than ours, with costs as
 * low as they allow; Firebase's is the example of its own documentation.
 */
export const FOREIGN_HASHES: readonly ForeignHash[] = [
  {
    format: 'argon2id',
    by: 'argon2-cffi 25.1',
    hash: '$argon2id$v=19$m=1024,t=2,p=2$io16JJrpXXws46539A3crQ$bodiduFlIMDJwTdsqsS8DO8o6iCC+25on53TvpX8rbY',
  },
  {
    format: 'argon2i',
    by: 'argon2-cffi 25.1',
    hash: '$argon2i$v=19$m=1024,t=2,p=2$/cPEw7zh+OTVI8qInpF+/A$ajOGAHuYSU6JXPLZCmz3J550B+5QKDZo5wlTM6U/clQ',
  },
  {
    format: 'argon2d',
    by: 'argon2-cffi 25.1',
    hash: '$argon2d$v=19$m=1024,t=2,p=2$fItoJIGdwM/GQIHMmxxcOA$kIToahFHmK6fUQAAeEZZ8hVaQMA0f/6XQWwJtnaaqQQ',
  },
  {
    format: 'argon2id',
    by: 'argon2-cffi 25.1, version 16',
    hash: '$argon2id$v=16$m=512,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$IJ9WIGlFnRSttHd7vOHd8SaQzFZ4HrTSedID/5B6Hro',
  },
  {
    format: 'argon2id (django)',
    by: 'Django 5.2',
    hash: 'argon2$argon2id$v=19$m=1024,t=2,p=1$WUNRZjdPNk9EalFpQnBKRU5YSGJCUQ$AMx/hYfRgzlV6fcVrHP29Mr9iD+nft/HgkduDsqLV8Q',
  },
  {
    format: 'bcrypt',
    by: 'bcrypt 5.0',
    hash: '$2b$05$76lVwnaxsjiqhLPTfWoCi.TbUP3qVQCOiqiOVvC7PoK0EhnrAGaT.',
  },
  {
    format: 'bcrypt',
    by: 'bcrypt 5.0, 2a',
    hash: '$2a$05$up/OVvnX8ZCg/tdGwfif7ehCd0rIoUeNmeondK0nDKRl1VIvg5LaK',
  },
  {
    format: 'bcrypt',
    by: 'bcrypt 5.0, spelled as PHP does',
    hash: '$2y$05$uRzkbAfsPGT97qG8ijBhwOM2Tw33icKn/ArhBsqSwGBiop3ajJ1Xu',
  },
  {
    format: 'bcrypt (django)',
    by: 'Django 5.2',
    hash: 'bcrypt$$2b$05$KTnVp6UeGyrFbFI9CYgvWubGuq39GCLKNyJ7xFvd/OXCGatPmZJcy',
  },
  {
    format: 'bcrypt-sha256 (django)',
    by: 'Django 5.2',
    hash: 'bcrypt_sha256$$2b$05$kTF3MTEE3fB2tmMFiTx1WOyGeGYsivUBiM/RwfwLwAMKSfIXzemsS',
  },
  {
    format: 'bcrypt-sha256 (passlib)',
    by: 'passlib 1.7.4',
    hash: '$bcrypt-sha256$v=2,t=2b,r=5$/vIDE5pwDhveDjRel5HOMu$N/mQX6tvN351oSGNrbkNIMFtbM/bs9i',
  },
  {
    format: 'scrypt',
    by: 'passlib 1.7.4',
    hash: '$scrypt$ln=10,r=8,p=1$PEco5bz3nvO+F2IMAWDMWQ$GuY3Vnwjc7bzGo4mBCjYQ7msN12UJ89FWGh+9fJitzM',
  },
  {
    format: 'scrypt (django)',
    by: 'Django 5.2',
    hash: 'scrypt$1024$a3yYPTqaTujujvKIBX7PpK$8$5$AMlCOzk/Yt6AE4c1QGMqGLQ8AlnPSfq+QAtTqgXTJ4lGiyv/2RsW5CVCjDWNoBHSTn3fjug8iPuQAM61QYrK3A==',
  },
  {
    format: 'pbkdf2-sha1 (passlib)',
    by: 'passlib 1.7.4',
    hash: '$pbkdf2$1000$1XpvLeVcq/U.J0TofS9l7A$KPeMejX1znqfFGR8t2PDgyC6sco',
  },
  {
    format: 'pbkdf2-sha256 (passlib)',
    by: 'passlib 1.7.4',
    hash: '$pbkdf2-sha256$1000$03rPOcd4z1kL4RxDSAnhXA$M3bZuj9PWVXFAuYZvmIJZ9T.TeAv0ii2swnXyAmmus4',
  },
  {
    format: 'pbkdf2-sha512 (passlib)',
    by: 'passlib 1.7.4',
    hash: '$pbkdf2-sha512$1000$DyEkBICw9h7DeA8hpNQ6Zw$rRda1GB.pNc1h/gSZe7y/z4QCAT9Ts8WgzPOz5/BY1368PFYqwtsY6.qBOM9HP2xJPyxE/3NsBfkrXkBYU83tg',
  },
  {
    format: 'pbkdf2-sha256 (django)',
    by: 'Django 5.2',
    hash: 'pbkdf2_sha256$1000$XhMe1RjQLVsiaIoR3pMCv5$GMlFP1jzurFpHv9uG6VIG4KY3GyamGMsdcVHGaPkf1g=',
  },
  {
    format: 'pbkdf2-sha1 (django)',
    by: 'Django 5.2',
    hash: 'pbkdf2_sha1$1000$9bm9p3W71LOH8vlVo5TfIY$lYfYFF6VBbbegtPc30JWwdtMi88=',
  },
  {
    format: 'pbkdf2-sha256',
    by: "Python's hashlib",
    hash: '$pbkdf2-sha256$i=1000,l=32$AAECAwQFBgcICQoLDA0ODw$dyJ+7yOt0V/jsQsxOAkvN7vpuzDHxtiNhkNIEmaRXBc',
  },
  {
    format: 'pbkdf2-sha512',
    by: "Python's hashlib",
    hash: '$pbkdf2-sha512$i=1000$AAECAwQFBgcICQoLDA0ODw$rn+mCAasUYYQaiBV1qQ9JTE5eKhI0s2HIacMjsCCQ2INoq1rgfMxnuYwCYdgG9SZgOtLcHCMIQgUUWAsniVmVg',
  },
  {
    format: 'scrypt (firebase)',
    by: 'the documentation of firebase/scrypt',
    password: 'user1password',
    hash: 'firebase-scrypt$ln=14,r=8$Bw==$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
  },
];

/** bcrypt of 72 times `x`: bcrypt ignores further bytes. */
export const BCRYPT_OF_72 = '$2b$04$.IKeg4uLm8CIuL5Zp0WHau8zVD/MilqZLueAitG5KP78n.CyJVcJm';

/** passlib's PBKDF2 of `café au lait à six`, with its accents decomposed (NFD): passlib normalises nothing. */
export const OF_DECOMPOSED =
  '$pbkdf2-sha256$1000$TCnF2JsTAkAopdTaG4MQQg$dT292wzoiUl4tGfQ8m.dv7Q.PbAC3D3uTrlgn1D0G84';
