-- What the operator does next, as whoever ended the command says it.

ALTER TABLE commands ADD COLUMN hint text;
