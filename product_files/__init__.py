"""Files of products: exports of shop systems, tables, feeds and archives, read into rows. It writes nothing to the catalogue."""
