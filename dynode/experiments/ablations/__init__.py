"""What each choice in the dynamics does: questions, the conditions they are asked under, and how they are answered."""
