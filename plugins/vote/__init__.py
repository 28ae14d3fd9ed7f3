"""Blind vote: two pictures side by side, nobody says which is whose, and Elo scores in the end."""
