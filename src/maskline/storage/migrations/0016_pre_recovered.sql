-- Whether a call went on, or ended, in another engine than it began in.
ALTER TABLE calls ADD COLUMN recovered BOOLEAN NOT NULL DEFAULT FALSE;
