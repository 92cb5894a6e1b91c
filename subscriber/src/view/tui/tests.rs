//! What the interactive view promises: what is on the screen, and what keys do.
