DROP TABLE expirations;
